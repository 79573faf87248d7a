"""The widgets of the page: one folder each, with `view.py` (data), `widget.js` (behaviour), `style.css` (looks)."""
