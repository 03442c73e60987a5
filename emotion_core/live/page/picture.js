import { onWidth, trackColour, verdict } from "./text.js";

/** The newest picture, with a box and a number for each face. */
export class Picture {
  constructor(canvas, known) {
    this.canvas = canvas;
    this.known = known;
    this.bitmap = null;
    this.faces = [];
    const pen = canvas.getContext("2d");
    pen.font = "16px system-ui, sans-serif";
    pen.fillStyle = "#888";
    pen.fillText("no picture", 16, 32);
    onWidth(canvas, () => this.draw());
  }

  /** @param jpeg empty where there is no picture; @param faces of the snapshot */
  async show(jpeg, faces) {
    this.faces = faces;
    if (jpeg.byteLength) {
      try {
        const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
        this.bitmap?.close();
        this.bitmap = bitmap;
      } catch {
        // the one before stays in view
      }
    }
    this.draw();
    const told = faces.map((face) => `person ${face.id} ${verdict(face.p, this.known)}`.trim());
    this.canvas.setAttribute("aria-label", told.join(", ") || "nobody in the picture");
  }

  draw() {
    const { canvas, bitmap } = this;
    if (!bitmap) return;
    const [width, height] = [canvas.clientWidth, (canvas.clientWidth * bitmap.height) / bitmap.width];
    const dense = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.drawImage(bitmap, 0, 0, width, height);
    const tags = [];
    for (const face of this.faces) this.#box(pen, face, width, height, tags);
  }

  /** @param tags where those before it lie: where one has no room for its words, it is a number */
  #box(pen, face, width, height, tags) {
    const [left, top, wide, high] = face.box.map((share, at) => share * (at % 2 ? height : width));
    for (const [colour, thick] of [["#000", 5], [trackColour(face.id), 3]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.strokeRect(left, top, wide, high);
    }
    pen.font = "600 14px system-ui, sans-serif";
    const words = [face.id, verdict(face.p, this.known), face.speaking ? "speaks" : ""];
    const said = words.filter((each) => each !== "").join(" · ");
    const above = top >= 22 ? top - 22 : Math.min(top + 2, height - 22);
    const tagOf = (text) => {
      const room = pen.measureText(text).width + 10;
      return { text, room, above, at: Math.max(0, Math.min(left - 2, width - room)) };
    };
    const meets = (one, other) => Math.abs(one.above - other.above) < 22
      && one.at < other.at + other.room && other.at < one.at + one.room;
    let tag = tagOf(said);
    if (tags.some((other) => meets(tag, other))) tag = tagOf(`${face.id}`);
    tags.push(tag);
    pen.fillStyle = trackColour(face.id);
    pen.fillRect(tag.at, above, tag.room, 20);
    pen.fillStyle = "#000";
    pen.fillText(tag.text, tag.at + 5, above + 15);
  }
}
