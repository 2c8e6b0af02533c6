module sordini/go-client

go 1.26.0
