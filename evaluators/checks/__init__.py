"""The checks: each is one function of a Case, named and versioned, and answers with a `CheckResult`."""
