// Line icons of 24 units, drawn for these pages.
const PATHS = {
  check: "m5 12.5 4.5 4.5L19 7.5",
  clip: "M6.5 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zm0 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8.5 8.5 20 17M8.5 15.5 20 7",
  close: "m6 6 12 12M18 6 6 18",
  cluster: "M12 9.5V14m-5.5 3 4-2.2m7 2.2-4-2.2M12 9.5a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM5 20.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zm14 0a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  configuration: "M4 7h9m4 0h3M4 17h3m4 0h9M15 9.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM9 19.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  download: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M4 19.5h16",
  eye: "M2.5 12s3.5-6 9.5-6 9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6zm9.5 2.7a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4z",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  kick: "M13 5H5v14h8m-2-7h10m0 0-3.5-3.5M21 12l-3.5 3.5",
  lock: "M6 11h12v9H6zm2.5 0V8a3.5 3.5 0 0 1 7 0v3",
  logs: "M6 4h9l3.5 3.5V20H6zm3 6h6m-6 3.5h6M9 17h4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  muted: "M4 9v6h4l5 4V5L8 9zM16.5 9.5l5 5M21.5 9.5l-5 5",
  overview: "M4 13h6V4H4zm10 7h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  pip: "M3 5h18v14H3zM12 12h7v5h-7z",
  play: "M8 5v14l11-7z",
  players: "M9 11a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 9 11zm-5.6 8.4c.3-3 2.6-5 5.6-5s5.3 2 5.6 5M15.6 5a3 3 0 0 1 0 5.6m2 4c1.8.8 2.9 2.5 3 4.8",
  publish: "M12 15V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v4.5h16V15",
  publishers: "M12 13.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zm0 0V20M7.7 15.8a6 6 0 0 1 0-8.6m8.6 0a6 6 0 0 1 0 8.6M5 18.5a10 10 0 0 1 0-14m14 0a10 10 0 0 1 0 14",
  record: "M12 17.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11z",
  recordings: "M4 5h16v14H4zm4 0v14m8-14v14M4 9.7h4m-4 4.6h4m8-4.6h4m-4 4.6h4",
  reload: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4h-4",
  sound: "M4 9v6h4l5 4V5L8 9zM16 8.5a4.5 4.5 0 0 1 0 7M18.5 5.5a8.5 8.5 0 0 1 0 13",
  stop: "M7 7h10v10H7z",
  streams: "M4 6h16v12H4zm6.5 3.2v5.6l4.7-2.8z",
  theme: "M12 3.5v17a8.5 8.5 0 0 0 0-17zm0 0a8.5 8.5 0 0 0 0 17",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13m-6.5 4v5.5m3-5.5v5.5",
  warning: "M12 4 2.8 19.5h18.4zM12 10v4.5m0 2.6v.01",
  wave: "M3 12h2M7 8v8M11 4v16M15 7v10M19 10v4",
} as const;

export type IconName = keyof typeof PATHS;

/** Filled where the shape is one area. */
const FILLED = new Set<IconName>(["play", "pause"]);

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  const filled = FILLED.has(name);
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={filled ? "currentColor" : "none"}
      stroke={filled ? "none" : "currentColor"}
      stroke-width={name === "more" ? 3 : 1.8}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
