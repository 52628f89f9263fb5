"""What the pages are drawn with; with pages and app.py, the only room that knows
Streamlit.
"""
