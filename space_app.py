"""The Landslide Zoo as a web page: ``python space_app.py``, or a Hugging Face Space."""

if __name__ == "__main__":  # the processes that read visitors' files import this module, too
    from landslide_zoo.web.app import launch

    launch()
