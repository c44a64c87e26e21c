"""Each mechanism taken out by a patch, under which the test that holds its promise must fail: `make sabotage`."""
