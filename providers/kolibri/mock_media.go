package kolibri

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"

	"sparki.app/integrations/providers/mockkit"
)

// mockSizes are the sizes of a picture, by the length of its longer side in pixels (contract §3.4;
// the numbers are ours).
var mockSizes = map[string]int{"original": 1200, "big": 900, "medium": 600, "preview": 240}

var mockMediaTypes = map[string]string{".jpg": "image/jpeg", ".png": "image/png", ".pdf": "application/pdf"}

// mockShape is the width and height of a picture in its original size. Some are upright; floor
// plans always are.
func mockShape(fileDataID, extension string) (width, height int) {
	if extension == ".png" {
		return 850, 1200
	}
	if mockkit.Hash(fileDataID)%7 == 0 {
		return 800, 1200
	}
	return 1200, 800
}

// mockMD5 stands in for a medium's md5Hash. It is not that of the bytes that are served: those are
// made when they are asked for. It changes exactly when the medium does.
func mockMD5(fileDataID, name string) string {
	sum := md5.Sum([]byte(fileDataID + "/" + name))
	return hex.EncodeToString(sum[:])
}

// media serves a picture, a floor plan or a brochure without asking who wants it (contract §3.4).
// It is drawn from its id and name, so it needs no place in the store.
func (m *Mock) media(w http.ResponseWriter, r *http.Request) {
	id, size, name := r.PathValue("fileDataId"), r.PathValue("size"), r.PathValue("name")
	extension := path.Ext(name)
	side, known := mockSizes[size]
	if mediaType := mockMediaTypes[extension]; !known || mediaType == "" || !mockIsGUID(id) || extension == ".pdf" && size != "original" {
		http.NotFound(w, r)
		return
	} else {
		w.Header().Set("Content-Type", mediaType)
	}
	etag := strconv.Quote(mockMD5(id, size+"/"+name))
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, err := m.pictures.Get(id+"/"+size+"/"+name, func() ([]byte, error) {
		return mockMedium(id, side, strings.TrimSuffix(name, extension), extension)
	})
	if err != nil {
		http.Error(w, "cannot draw", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func mockMedium(id string, side int, name, extension string) ([]byte, error) {
	if extension == ".pdf" {
		return mockkit.PDF(mockAgencyName, strings.ReplaceAll(name, "-", " ")), nil
	}
	width, height := mockShape(id, extension)
	longer := max(width, height)
	width, height = width*side/longer, height*side/longer
	if extension == ".png" {
		return mockkit.FloorPlan(mockkit.Hash(id), width, height, true)
	}
	return mockkit.Photo(name, mockkit.Hash(id), width, height)
}
