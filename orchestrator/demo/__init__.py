"""The demo: a stand-in for GitHub, a scripted Messages server, and the story told over them."""
