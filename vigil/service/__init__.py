"""What every process needs: settings, errors, logs, health and threads that are watched."""
