"""What an agent package is and what it asks for: agent.yaml."""
