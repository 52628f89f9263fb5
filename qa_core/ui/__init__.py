"""User interface; with pages and app.py, the only room that knows Streamlit."""
