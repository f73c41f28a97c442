// Paints sample photos, so that the album can be tried without any. The same seed gives the same
// picture.

const width = 1200;
const height = 900;

const scenes = [
  {
    name: "dawn-over-the-lake.jpg", seed: 7,
    sky: ["#20305c", "#b0557c", "#f7b267"], sun: [0.62, 0.5, 54, "#fff1c9"],
    hills: ["#8d5a83", "#5c3f6e", "#35284f"], water: ["#d98a7b", "#33305c"],
  },
  {
    name: "green-valley.jpg", seed: 21,
    sky: ["#6fb7e8", "#bfe3f2", "#f5f3e1"], sun: [0.24, 0.22, 46, "#fffbe6"],
    hills: ["#9cc3b0", "#5f9f83", "#3b7a5c", "#235640"],
  },
  {
    name: "desert-evening.jpg", seed: 42,
    sky: ["#452b58", "#c8553d", "#ffc785"], sun: [0.4, 0.42, 78, "#ffe2b0"],
    hills: ["#c97b52", "#a1543a", "#6e3228"],
  },
  {
    name: "winter-night.jpg", seed: 99,
    sky: ["#070d24", "#14234a", "#38547e"], sun: [0.76, 0.2, 40, "#f4f6ff"], stars: 130,
    hills: ["#7f96b8", "#b7c7dc", "#e9eff7"],
  },
  {
    name: "island-at-noon.jpg", seed: 5,
    sky: ["#2f8fd0", "#8fd0ee", "#eaf7fb"], sun: [0.78, 0.2, 44, "#fffdf0"],
    hills: ["#7fb5b5", "#3f8f86"], water: ["#3aa7c4", "#12557f"],
  },
  {
    name: "autumn-mist.jpg", seed: 64,
    sky: ["#d9c7b8", "#f1e3d3", "#f7efe4"], sun: [0.5, 0.34, 40, "#fff7e8"],
    hills: ["#d8b08c", "#c07f4f", "#94552f", "#5d3420"],
  },
];

// paintSamples returns the sample photos as files.
export function paintSamples() {
  return Promise.all(scenes.map(async (scene) => {
    const canvas = new OffscreenCanvas(width, height);
    paint(canvas.getContext("2d"), scene);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.86 });
    return new File([blob], scene.name, { type: blob.type });
  }));
}

// paintFan returns three of the photos for the first view, as decoration.
export function paintFan() {
  return [scenes[1], scenes[2], scenes[0]].map((scene) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    paint(canvas.getContext("2d"), scene);
    return canvas;
  });
}

function paint(context, { seed, sky, sun, stars = 0, hills, water }) {
  const random = numbers(seed);
  fill(context, sky, 0, height * 0.8);
  context.fillStyle = "#ffffff";
  for (let i = 0; i < stars; i++) {
    context.globalAlpha = 0.3 + 0.7 * random();
    disc(context, width * random(), height * 0.6 * random(), 0.8 + 1.6 * random());
  }
  context.globalAlpha = 1;
  shine(context, sun);
  const shore = water ? 0.74 : 1;
  hills.forEach((color, i) => {
    const base = height * shore * (0.62 + 0.3 * (i / hills.length));
    context.fillStyle = color;
    ridge(context, random, base, height * (0.13 - 0.02 * i), 1.4 + 1.1 * i);
  });
  if (water) reflect(context, random, water, height * shore, sun);
}

// numbers returns a generator of numbers from 0 to 1 (a linear congruential one).
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

function fill(context, colors, top, bottom) {
  const gradient = context.createLinearGradient(0, top, 0, bottom);
  colors.forEach((color, i) => gradient.addColorStop(i / (colors.length - 1), color));
  context.fillStyle = gradient;
  context.fillRect(0, top, width, height - top);
}

function disc(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function shine(context, [x, y, radius, color]) {
  context.fillStyle = color;
  for (const [grow, alpha] of [[4.2, 0.06], [2.7, 0.1], [1.7, 0.18], [1, 1]]) {
    context.globalAlpha = alpha;
    disc(context, x * width, y * height, radius * grow);
  }
  context.globalAlpha = 1;
}

// ridge fills everything below a line of hills: three waves of different lengths.
function ridge(context, random, base, rise, waves) {
  const parts = [1, 2.3, 5.1].map((times, i) => (
    { times, high: rise / (1.6 ** (2 * i)), shift: 2 * Math.PI * random() }));
  context.beginPath();
  context.moveTo(0, height);
  for (let x = 0; x <= width; x += 4) {
    const angle = (x / width) * Math.PI * waves;
    const y = parts.reduce(
      (sum, { times, high, shift }) => sum - high * Math.sin(angle * times + shift), base);
    context.lineTo(x, y);
  }
  context.lineTo(width, height);
  context.fill();
}

function reflect(context, random, colors, top, [x, , radius, color]) {
  fill(context, colors, top, height);
  context.fillStyle = color;
  for (let y = top + 6; y < height; y += 12) {
    const spread = radius * (0.8 + ((y - top) / height) * 3);
    const half = spread * (0.4 + 0.6 * random());
    context.globalAlpha = 0.55 * (1 - (y - top) / (height - top)) + 0.06;
    context.fillRect(x * width - half + 14 * (random() - 0.5), y, 2 * half, 4);
  }
  context.globalAlpha = 1;
}
