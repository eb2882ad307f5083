// Joins still WebP pictures into an animated one (the container is described at
// https://developers.google.com/speed/webp/docs/riff_container).

/** The animation of `frames` ({ webp: Buffer, ms: number }), of `width` × `height` pixels, repeated without end. */
export function animate(frames, { width, height }) {
  const canvas = Buffer.alloc(10);
  canvas[0] = 0b10; // The flag of animations.
  canvas.writeUIntLE(width - 1, 4, 3);
  canvas.writeUIntLE(height - 1, 7, 3);
  // A white background and 0, which means no limit of repetitions.
  const loop = Buffer.from([255, 255, 255, 255, 0, 0]);
  const chunks = [
    chunk("VP8X", canvas),
    chunk("ANIM", loop),
    ...frames.map((frame) => frameOf(frame, width, height)),
  ];
  const body = Buffer.concat([Buffer.from("WEBP"), ...chunks]);
  return Buffer.concat([Buffer.from("RIFF"), length(body), body]);
}

function frameOf({ webp, ms }, width, height) {
  const head = Buffer.alloc(16);
  head.writeUIntLE(width - 1, 6, 3);
  head.writeUIntLE(height - 1, 9, 3);
  head.writeUIntLE(ms, 12, 3);
  head[15] = 0b10; // The frame overwrites the previous one without blending.
  return chunk("ANMF", Buffer.concat([head, picture(webp)]));
}

/** The chunk with the pixels of a still picture. */
function picture(webp) {
  for (let at = 12; at + 8 <= webp.length; ) {
    const name = webp.toString("latin1", at, at + 4);
    const size = webp.readUInt32LE(at + 4);
    if (name === "VP8 " || name === "VP8L") return webp.subarray(at, at + 8 + size + (size % 2));
    at += 8 + size + (size % 2);
  }
  throw new Error("a frame has no pixels");
}

function chunk(name, data) {
  const padding = Buffer.alloc(data.length % 2);
  return Buffer.concat([Buffer.from(name), length(data), data, padding]);
}

function length(data) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(data.length);
  return bytes;
}
