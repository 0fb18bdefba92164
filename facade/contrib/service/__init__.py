"""What services share, whatever their framework: requests, errors, pages, filters, tags of versions, streams."""
