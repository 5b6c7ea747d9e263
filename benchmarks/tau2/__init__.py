"""τ²-bench retail through the real loop: its records and rules as tools, its tasks' own calls as the model's."""
