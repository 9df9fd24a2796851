"""A user at a terminal whose whole screen the client draws: conversations, talk, members, and the line being typed."""
