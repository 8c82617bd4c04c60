"""Docker Engine and Podman: what their containers, images and Swarm services use, by their API."""
