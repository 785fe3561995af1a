# One image for every command: serve, worker, migrate, doctor. The program brings its own time zones.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /sparki ./cmd/sparki

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /sparki /sparki
EXPOSE 8080
ENTRYPOINT ["/sparki"]
