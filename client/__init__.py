"""The terminal client of the chat service. README.txt in this folder says which file does what."""
