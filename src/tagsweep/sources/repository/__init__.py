"""Reading git repositories without a checkout: the git program, its objects, revisions, remotes and submodules."""
