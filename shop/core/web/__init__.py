"""What all pages share: refusals as pages, the same-origin rule, error pages."""
