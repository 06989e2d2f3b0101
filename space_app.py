"""The Landslide Zoo as a web page: ``python space_app.py``, or a Hugging Face Space."""

from landslide_zoo.web.app import build_app, launch

demo = build_app()

if __name__ == "__main__":
    launch(demo)
