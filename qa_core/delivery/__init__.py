"""What goes out: mails and webhook messages, each once, in the scope of its reader."""
