import { onWidth, trackColour, verdict } from "./text.js";

/** The newest picture, with a box and a number for each face. */
export class Picture {
  constructor(canvas, known) {
    this.canvas = canvas;
    this.known = known;
    this.bitmap = null;
    this.faces = [];
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
    for (const face of this.faces) this.#box(pen, face, width, height);
  }

  #box(pen, face, width, height) {
    const [left, top, wide, high] = face.box.map((share, at) => share * (at % 2 ? height : width));
    for (const [colour, thick] of [["#000", 5], [trackColour(face.id), 3]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.strokeRect(left, top, wide, high);
    }
    const words = [face.id, verdict(face.p, this.known), face.speaking ? "speaks" : ""].filter((each) => each !== "").join(" · ");
    pen.font = "600 14px system-ui, sans-serif";
    const room = pen.measureText(words).width + 10;
    const at = Math.max(0, Math.min(left - 2, width - room));
    const above = top >= 22 ? top - 22 : Math.min(top + 2, height - 22);
    pen.fillStyle = trackColour(face.id);
    pen.fillRect(at, above, room, 20);
    pen.fillStyle = "#000";
    pen.fillText(words, at + 5, above + 15);
  }
}
