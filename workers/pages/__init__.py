"""What commands print, page by page: no reading, no deciding."""
