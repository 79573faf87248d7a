"""Turn untrusted bytes and addresses into photos, and photos into parts of them.

In: an upload's bytes, a web address, a rectangle that a person drew. Out: a `Photo`, upright RGB pixels with the
file it came from where that is safe to pass on; or a PhotoError with a next step.

photo        `Photo`: id, name, size, and pixels on demand
decode       bytes -> `Photo`, or a file that is safe to keep
door         behind which decoders work, and what one file may have at most
opening      bytes -> the main picture of a file, as its decoder gives it
mending      a file that a decoder refuses -> the same picture without what is not picture
jpeg         JPEG files by their segments, and whether their pixels are all there
tiff         TIFF files by their pages
kinds        a picture of any kind -> 8-bit RGB
numbers      sample values of any depth -> 8 bits
colour       colour profiles, for people's eyes only
passthrough  files that are only a picture, and so may be sent as they are
cache        the decoded pictures that are kept ready, bounded in bytes
limits       how much one message may carry, and how much may wait to be sent
download     a web address -> a file's bytes, from public addresses only
regions      a rectangle on a photo -> a crop or a marked copy, and where it is from
coordinates  normalised 0-1000 coordinates -> pixels

Not here: how a photo is cut into tiles (`conversation.tiling`), keeping photos on disk (`store`).
"""
