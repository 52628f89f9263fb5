"""What the pages are laid out from: one module per page, and the cards that several
share.
"""
