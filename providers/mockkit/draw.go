package mockkit

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// canvas is a picture with coordinates from 0 to 1, whatever its size.
type canvas struct {
	image *image.RGBA
	w, h  float64
	r     *rand.Rand
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// shade makes a colour lighter (above 1) or darker.
func shade(c color.RGBA, by float64) color.RGBA {
	f := func(v uint8) uint8 { return uint8(min(255, float64(v)*by)) }
	return color.RGBA{f(c.R), f(c.G), f(c.B), 255}
}

func (c *canvas) pick(colors ...uint32) color.RGBA { return rgb(colors[c.r.IntN(len(colors))]) }

// rect fills a rectangle.
func (c *canvas) rect(x0, y0, x1, y1 float64, fill color.RGBA) {
	c.polygon(fill, x0, y0, x1, y0, x1, y1, x0, y1)
}

// polygon fills a convex polygon of x, y pairs.
func (c *canvas) polygon(fill color.RGBA, points ...float64) {
	n := len(points) / 2
	top, bottom := math.Inf(1), math.Inf(-1)
	for i := range n {
		top, bottom = min(top, points[2*i+1]*c.h), max(bottom, points[2*i+1]*c.h)
	}
	for y := max(0, int(top)); y < min(int(c.h), int(math.Ceil(bottom))); y++ {
		left, right := math.Inf(1), math.Inf(-1)
		at := float64(y) + 0.5
		for i := range n {
			j := (i + 1) % n
			x0, y0, x1, y1 := points[2*i]*c.w, points[2*i+1]*c.h, points[2*j]*c.w, points[2*j+1]*c.h
			if (y0 <= at) != (y1 <= at) {
				x := x0 + (at-y0)/(y1-y0)*(x1-x0)
				left, right = min(left, x), max(right, x)
			}
		}
		c.row(y, int(math.Round(left)), int(math.Round(right)), fill)
	}
}

func (c *canvas) row(y, x0, x1 int, fill color.RGBA) {
	x0, x1 = max(0, x0), min(int(c.w), x1)
	if x0 >= x1 {
		return
	}
	span := c.image.Pix[c.image.PixOffset(x0, y):c.image.PixOffset(x1, y)]
	for done := copy(span, []byte{fill.R, fill.G, fill.B, 255}); done < len(span); done *= 2 {
		copy(span[done:], span[:done])
	}
}

// gradient fills the whole width from one colour to another.
func (c *canvas) gradient(y0, y1 float64, from, to color.RGBA) {
	a, b := int(y0*c.h), int(y1*c.h)
	mix := func(u, v uint8, t float64) uint8 { return uint8(float64(u) + (float64(v)-float64(u))*t) }
	for y := a; y < b; y++ {
		t := float64(y-a) / float64(max(1, b-a))
		c.row(y, 0, int(c.w), color.RGBA{mix(from.R, to.R, t), mix(from.G, to.G, t), mix(from.B, to.B, t), 255})
	}
}

// disc fills a circle; r is a part of the height.
func (c *canvas) disc(x, y, r float64, fill color.RGBA) {
	radius := r * c.h
	for row := int(y*c.h - radius); row < int(y*c.h+radius); row++ {
		if row < 0 || row >= int(c.h) {
			continue
		}
		d := float64(row) + 0.5 - y*c.h
		half := math.Sqrt(max(0, radius*radius-d*d))
		c.row(row, int(x*c.w-half), int(x*c.w+half), fill)
	}
}

// scene draws what a photo's name says: a facade unless it names a room or the land.
func scene(name string, seed uint64, width, height int) image.Image {
	c := &canvas{
		image: image.NewRGBA(image.Rect(0, 0, width, height)),
		w:     float64(width), h: float64(height), r: rand.New(rand.NewPCG(seed, 1)),
	}
	has := func(motifs ...string) bool {
		return slices.ContainsFunc(strings.Split(name, "-"), func(word string) bool {
			return slices.ContainsFunc(motifs, func(m string) bool { return strings.HasPrefix(word, m) || strings.HasSuffix(word, m) })
		})
	}
	switch {
	case has("gevel", "pand", "gebouw", "complex", "flat", "toren"):
		c.facade(has("gebouw", "complex", "flat", "toren"))
	case has("tuin", "terras", "balkon", "dakterras", "erf"):
		c.garden()
	case has("kavel", "weiland", "land", "uitzicht", "steiger"):
		c.land()
	case has("badkamer", "keuken"):
		c.room(true)
	case has("kamer", "hal", "kantoor", "winkel", "interieur", "vliering", "studio", "vergader"):
		c.room(false)
	case has("parkeer", "berging", "garage", "stal", "loods"):
		c.bay()
	default:
		c.facade(false)
	}
	return c.image
}

func (c *canvas) sky(horizon float64) {
	c.gradient(0, horizon, c.pick(0x6fa8dc, 0x7fb2d9, 0x93b5cf, 0xb7c4cf), c.pick(0xdfeaf3, 0xf4ead9, 0xe8eef2))
	for range 2 + c.r.IntN(3) {
		x, y := c.r.Float64(), 0.05+c.r.Float64()*0.2
		for i := range 4 {
			c.disc(x+float64(i)*0.035, y+c.r.Float64()*0.02, 0.025+c.r.Float64()*0.02, rgb(0xf7fafc))
		}
	}
}

func (c *canvas) tree(x, base, size float64) {
	c.rect(x-size*0.04, base-size*0.5, x+size*0.04, base, rgb(0x6b4f3a))
	leaf := c.pick(0x4f7f3f, 0x5d8a45, 0x3f6e3a, 0x7a9442)
	for range 6 {
		c.disc(x+(c.r.Float64()-0.5)*size*0.4, base-size*(0.55+c.r.Float64()*0.4), size*0.22, shade(leaf, 0.9+c.r.Float64()*0.25))
	}
}

// facade draws one house, or a block of flats.
func (c *canvas) facade(block bool) {
	c.sky(0.82)
	c.rect(0, 0.82, 1, 0.9, c.pick(0x6f8f4e, 0x7d9657, 0x5f8048))
	c.rect(0, 0.9, 1, 1, c.pick(0xb9b3a7, 0xa8a29a, 0xc4bcae))
	c.tree(0.08, 0.86, 0.35)
	c.tree(0.93, 0.87, 0.3)
	wall := c.pick(0x9c4a36, 0xb06a4a, 0xd8cdbb, 0x8a6f5a, 0xc9b08a, 0x7b3f34, 0xe3ddd0, 0x5e6468)
	frame, glass := c.pick(0xf4f1ea, 0xece7dc, 0x2e4a3e, 0x33404d), c.pick(0x9fb9c9, 0x6f8ea3, 0xb9cdd6)
	rows, columns, left, right, top := 2, 3, 0.26, 0.74, 0.4
	if block || c.r.IntN(4) == 0 {
		rows, columns, left, right, top = 5, 6, 0.18, 0.82, 0.14
	}
	c.rect(left, top, right, 0.86, wall)
	c.rect(right-0.02, top, right, 0.86, shade(wall, 0.85))
	if rows == 2 {
		roof := c.pick(0x5a3a32, 0x7a4436, 0x3f4348, 0x4b3b36)
		switch c.r.IntN(3) {
		case 0: // gable
			c.polygon(wall, left, top, right, top, (left+right)/2, 0.14)
			c.polygon(roof, left-0.03, top, left, top, (left+right)/2, 0.14, (left+right)/2, 0.1)
			c.polygon(roof, right+0.03, top, right, top, (left+right)/2, 0.14, (left+right)/2, 0.1)
		case 1: // saddle
			c.polygon(roof, left-0.03, top, right+0.03, top, right-0.04, 0.2, left+0.04, 0.2)
		default: // stepped, as along a canal
			for i := range 4 {
				step := float64(i) * 0.06
				c.rect(left+step, top-0.06*float64(i+1), right-step, top-0.06*float64(i)+0.001, wall)
			}
		}
		c.rect(right-0.12, 0.16, right-0.08, 0.28, shade(wall, 0.8))
	} else {
		c.rect(left-0.01, top-0.02, right+0.01, top, shade(wall, 0.7))
	}
	cellW, cellH := (right-left)/float64(columns), (0.86-top)/float64(rows)
	door := c.r.IntN(columns)
	for row := range rows {
		for column := range columns {
			x, y := left+cellW*float64(column), top+cellH*float64(row)
			if row == rows-1 && column == door {
				c.rect(x+cellW*0.28, y+cellH*0.2, x+cellW*0.72, 0.86, frame)
				c.rect(x+cellW*0.33, y+cellH*0.26, x+cellW*0.67, 0.86, c.pick(0x2e4a3e, 0x7a2e2a, 0x28405c, 0x222222))
				continue
			}
			c.rect(x+cellW*0.16, y+cellH*0.2, x+cellW*0.84, y+cellH*0.76, frame)
			c.rect(x+cellW*0.2, y+cellH*0.24, x+cellW*0.8, y+cellH*0.72, glass)
			c.rect(x+cellW*0.49, y+cellH*0.24, x+cellW*0.51, y+cellH*0.72, frame)
			c.rect(x+cellW*0.14, y+cellH*0.76, x+cellW*0.86, y+cellH*0.8, shade(frame, 0.85))
		}
	}
}

func (c *canvas) garden() {
	c.sky(0.55)
	for i := range 7 {
		c.tree(float64(i)/6+(c.r.Float64()-0.5)*0.05, 0.58, 0.28+c.r.Float64()*0.15)
	}
	c.rect(0, 0.5, 1, 0.6, c.pick(0x8d7355, 0xa08a6a, 0x6d5a48))
	for i := range 24 {
		c.rect(float64(i)/24, 0.5, float64(i)/24+0.004, 0.6, rgb(0x5f4c3a))
	}
	c.gradient(0.6, 1, c.pick(0x6f9a4b, 0x7fa653), rgb(0x55803c))
	tile := c.pick(0xc9c1b3, 0xb8ada0, 0xd4ccbe)
	c.polygon(tile, 0.15, 0.74, 0.55, 0.74, 0.7, 1, 0, 1)
	c.rect(0.3, 0.78, 0.5, 0.8, shade(tile, 0.6))
	c.rect(0.32, 0.8, 0.33, 0.88, shade(tile, 0.5))
	c.rect(0.47, 0.8, 0.48, 0.88, shade(tile, 0.5))
	for range 18 {
		c.disc(0.62+c.r.Float64()*0.36, 0.66+c.r.Float64()*0.1, 0.012, c.pick(0xd8577a, 0xf0c44c, 0xb66fc4, 0xf5f0e6))
	}
}

func (c *canvas) land() {
	c.sky(0.5)
	for i := range 10 {
		c.tree(c.r.Float64(), 0.51, 0.08+0.06*float64(i%3))
	}
	c.gradient(0.5, 1, c.pick(0x8aa85a, 0x9aae62, 0x7f9f55), rgb(0x5d7d3c))
	c.polygon(c.pick(0x7fa5b8, 0x8fb2c2), 0.5, 0.5, 0.53, 0.5, 0.75, 1, 0.55, 1)
	for i := range 6 {
		y := 0.56 + float64(i*i)*0.012
		c.rect(0, y, 0.5, y+0.003, rgb(0x6c8a45))
	}
}

// room draws a room in perspective, tiled when it is wet.
func (c *canvas) room(wet bool) {
	wall := c.pick(0xede6da, 0xe4e8e4, 0xf1ece2, 0xd9dfe3, 0xe9dccb)
	c.rect(0, 0, 1, 1, wall)
	c.polygon(shade(wall, 1.05), 0, 0, 1, 0, 0.78, 0.16, 0.22, 0.16)
	c.polygon(shade(wall, 0.9), 0, 0, 0.22, 0.16, 0.22, 0.7, 0, 1)
	c.polygon(shade(wall, 0.94), 1, 0, 0.78, 0.16, 0.78, 0.7, 1, 1)
	floor := c.pick(0xb98d5e, 0x9b734a, 0xc9a87c, 0x8a6a4a)
	if wet {
		floor = c.pick(0x9aa3a8, 0xb9bfc2, 0x7f8a90)
	}
	c.polygon(floor, 0.22, 0.7, 0.78, 0.7, 1, 1, 0, 1)
	for i := 1; i < 9; i++ {
		x := 0.22 + 0.56*float64(i)/9
		c.polygon(shade(floor, 0.85), x, 0.7, x+0.002, 0.7, float64(i)/9+0.004, 1, float64(i)/9, 1)
	}
	c.rect(0.36, 0.26, 0.64, 0.56, rgb(0xf8f6f1))
	c.gradient2(0.375, 0.275, 0.625, 0.545)
	c.rect(0.497, 0.27, 0.503, 0.55, rgb(0xf8f6f1))
	body := c.pick(0x4f6d7a, 0x7a5c58, 0x5f7360, 0xb0894f, 0x38424c)
	if wet {
		c.rect(0.04, 0.62, 0.34, 0.9, shade(body, 1.2))
		c.rect(0.03, 0.6, 0.35, 0.63, rgb(0xf2efe9))
		c.rect(0.68, 0.34, 0.9, 0.52, rgb(0xd7e2e6))
		return
	}
	c.rect(0.28, 0.66, 0.6, 0.76, body)
	c.rect(0.26, 0.74, 0.62, 0.84, shade(body, 1.15))
	c.rect(0.26, 0.84, 0.29, 0.87, rgb(0x3a2f28))
	c.rect(0.59, 0.84, 0.62, 0.87, rgb(0x3a2f28))
	c.rect(0.84, 0.32, 0.94, 0.52, shade(body, 0.8))
	c.tree(0.72, 0.76, 0.22)
}

// gradient2 draws the view from a window.
func (c *canvas) gradient2(x0, y0, x1, y1 float64) {
	c.rect(x0, y0, x1, (y0+2*y1)/3, c.pick(0xa9cbe0, 0xbcd3df, 0x93bcd6))
	c.rect(x0, (y0+2*y1)/3, x1, y1, c.pick(0x7f9f62, 0x6d9150))
}

// bay draws a parking place, a store room or a barn.
func (c *canvas) bay() {
	c.rect(0, 0, 1, 1, c.pick(0xbfc3c4, 0xcfc9bf, 0xb2b6b5))
	c.polygon(rgb(0x8d9192), 0, 0.66, 1, 0.66, 1, 1, 0, 1)
	c.rect(0, 0.06, 1, 0.12, rgb(0x9a9e9f))
	for i := range 5 {
		x := 0.05 + float64(i)*0.23
		c.rect(x, 0.12, x+0.035, 0.68, rgb(0xa7abac))
		c.polygon(rgb(0xf2e6a8), x+0.1, 0.7, x+0.106, 0.7, x+0.06, 1, x+0.045, 1)
	}
	door := c.pick(0x4d6b5a, 0x6b4d4d, 0x4d5a6b, 0x77694f)
	c.rect(0.33, 0.26, 0.67, 0.68, door)
	for i := range 6 {
		y := 0.28 + float64(i)*0.066
		c.rect(0.34, y, 0.66, y+0.008, shade(door, 1.25))
	}
}

// floorPlan draws walls, doors and windows of a floor as lines.
func floorPlan(seed uint64, width, height int) image.Image {
	r := rand.New(rand.NewPCG(seed, 2))
	palette := color.Palette{rgb(0xffffff), rgb(0x2b2f33), rgb(0xf3efe6), rgb(0xe4edf2), rgb(0x8fb0c4), rgb(0xeaf1e4)}
	p := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	fill := func(x0, y0, x1, y1 int, index uint8) {
		for y := max(0, y0); y < min(height, y1); y++ {
			row := p.Pix[y*p.Stride : y*p.Stride+width]
			for x := max(0, x0); x < min(width, x1); x++ {
				row[x] = index
			}
		}
	}
	wall := max(2, width/140)
	var split func(x0, y0, x1, y1, depth int)
	split = func(x0, y0, x1, y1, depth int) {
		if depth == 0 || x1-x0 < width/4 && y1-y0 < height/4 {
			fill(x0, y0, x1, y1, []uint8{2, 3, 5, 0}[r.IntN(4)])
			return
		}
		door := width / 14
		part := 0.38 + r.Float64()*0.24
		if x1-x0 > (y1-y0)*9/10 {
			x := x0 + int(float64(x1-x0)*part)
			split(x0, y0, x, y1, depth-1)
			split(x, y0, x1, y1, depth-1)
			fill(x-wall/2, y0, x+wall/2+1, y1, 1)
			at := y0 + (y1-y0-door)/3
			fill(x-wall/2, at, x+wall/2+1, at+door, 0)
			return
		}
		y := y0 + int(float64(y1-y0)*part)
		split(x0, y0, x1, y, depth-1)
		split(x0, y, x1, y1, depth-1)
		fill(x0, y-wall/2, x1, y+wall/2+1, 1)
		at := x0 + (x1-x0-door)/3
		fill(at, y-wall/2, at+door, y+wall/2+1, 0)
	}
	left, top, right, bottom := width/10, height/12, width*9/10, height*10/12
	split(left, top, right, bottom, 3+r.IntN(2))
	for _, edge := range [][4]int{
		{left - 2*wall, top - 2*wall, right + 2*wall, top}, {left - 2*wall, bottom, right + 2*wall, bottom + 2*wall},
		{left - 2*wall, top, left, bottom}, {right, top, right + 2*wall, bottom},
	} {
		fill(edge[0], edge[1], edge[2], edge[3], 1)
	}
	for i := range 3 { // windows
		x := left + (right-left)*(1+3*i)/9
		fill(x, top-2*wall+wall/2, x+(right-left)/6, top-wall/2, 4)
		fill(x, bottom+wall/2, x+(right-left)/6, bottom+2*wall-wall/2, 4)
	}
	for i := range 4 { // scale bar
		fill(left+i*width/12, height*11/12, left+(i+1)*width/12, height*11/12+wall, uint8(1+i%2*3))
	}
	return p
}
