"""From the policy file to the model, with errors at file:line:column."""
