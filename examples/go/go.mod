module enfold-example

go 1.19
