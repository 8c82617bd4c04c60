"""Reading a Kubernetes cluster: who may ask, what there is to list, and what of it is in use."""
