"""The app: one file a tab, on Gradio."""
