"""Law on recording and listening (docs/compliance.md): gates, people, audio, retention."""
