"""Delivery: mails and webhook messages, each sent once, in the scope of its reader."""
