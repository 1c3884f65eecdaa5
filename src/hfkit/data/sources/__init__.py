"""Where rows come from: files, folders, the Hub, data inside packages."""
