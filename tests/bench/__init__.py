"""Speed, measured as ratios within one run. Never part of the test run: no test fails on a slow machine."""
