#!/usr/bin/python3
"""Writes the small pictures of this folder and golden.json, what Pillow's
ImageOps.exif_transpose(picture).convert("RGB") makes of them. Needs python3-pil."""
import base64, io, json
from PIL import Image, ImageOps

W, H = 7, 5
rgb = Image.new("RGB", (W, H))
rgb.putdata([(36 * x, 60 * y, 20 * (x + y)) for y in range(H) for x in range(W)])
alpha = Image.new("L", (W, H))
alpha.putdata([255 if (x + y) % 3 else 0 for y in range(H) for x in range(W)])
rgba = rgb.copy()
rgba.putalpha(alpha)
palette = rgb.quantize(16)
gray16 = Image.new("I;16", (W, H))
gray16.putdata([(9 * x + 40 * y) << 8 | 0x80 for y in range(H) for x in range(W)])


def oriented(n):
    exif = Image.Exif()
    exif[0x0112] = n
    return exif.tobytes()


golden = {}


def save(name, picture, tolerance=0, expect=None, decoder="", **how):
    picture.save(name, **how)
    seen = Image.open(name)
    if seen.format == "TIFF":
        seen.load()  # turns the picture itself, which older exif_transpose would do again
    else:
        seen = ImageOps.exif_transpose(seen)
    seen = expect or seen.convert("RGB")
    golden[name] = {"w": seen.width, "h": seen.height, "tolerance": tolerance,
                    "rgb": base64.b64encode(seen.tobytes()).decode()}
    if decoder:
        golden[name]["decoder"] = decoder


jpeg = dict(quality=95, subsampling=0)
save("rgb.jpg", rgb, 2, **jpeg)  # inverse DCTs may differ by one, YCbCr to RGB doubles that
save("progressive.jpg", rgb, 2, progressive=True, **jpeg)
save("gray.jpg", rgb.convert("L"), 1, **jpeg)
save("cmyk.jpg", rgb.convert("CMYK"), 2, **jpeg)
for n in range(1, 9):
    save(f"orientation{n}.jpg", rgb, 2, exif=oriented(n), **jpeg)
# Busy pictures of no whole number of blocks, of which only libjpeg-turbo makes what Pillow does.
busy = Image.new("RGB", (35, 21))
busy.putdata([(97 * x * y % 256, 53 * (x + 3 * y) % 256, 31 * (x * x + y) % 256) for y in range(21) for x in range(35)])
for subsampling, ratio in enumerate(("444", "422", "420")):
    save(f"{ratio}.jpg", busy, decoder="turbo", quality=80, subsampling=subsampling)
    save(f"{ratio}-progressive.jpg", busy, decoder="turbo", quality=80, subsampling=subsampling, progressive=True)
save("busy-gray.jpg", busy.convert("L"), decoder="turbo", quality=80)
save("rgb.png", rgb)
save("gray.png", rgb.convert("L"))
save("bits.png", rgb.convert("1"))
save("gray-alpha.png", rgba.convert("LA"))
save("rgba.png", rgba)
save("palette.png", palette)
save("palette-transparent.png", palette, transparency=3)
save("gray16.png", gray16, expect=gray16.point(lambda v: v / 256).convert("L").convert("RGB"))
save("orientation6.png", rgb, exif=oriented(6))
save("palette.gif", palette)
save("transparent.gif", palette, transparency=3)
save("rgb.bmp", rgb)
save("palette.bmp", palette)
save("rgb.tif", rgb)
save("lzw.tif", rgb, compression="tiff_lzw")
save("deflate.tif", rgb, compression="tiff_adobe_deflate")
save("gray16.tif", gray16, expect=gray16.point(lambda v: v / 256).convert("L").convert("RGB"))
save("rgba.tif", rgba)
save("palette.tif", palette)
save("orientation6.tif", rgb, exif=oriented(6))
save("lossless.webp", rgb, lossless=True)
save("lossless-alpha.webp", rgba, lossless=True, exact=True)
flat = Image.new("RGB", (W, H), (200, 120, 40))  # decoders upsample chroma differently
save("lossy.webp", flat, 2, quality=90)
flat.putalpha(alpha)
save("lossy-alpha.webp", flat, 2, quality=90)
save("orientation6.webp", rgb, lossless=True, exif=oriented(6))
with open("golden.json", "w") as f:
    json.dump(golden, f, indent=0, sort_keys=True)
