"""What vendors serve beside the registry API, by their documentation, for a fake registry."""
