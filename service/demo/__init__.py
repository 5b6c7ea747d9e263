"""The demo: the main job on the embedded default, with scripted customers, a scripted shift lead, and a moved clock."""
