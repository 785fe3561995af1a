module sparki.app/integrations/tools

go 1.26.0

tool github.com/99designs/gqlgen

require github.com/99designs/gqlgen v0.17.95
