// The map of a scene: pictures in the scene's own pixels, landslides over them, and their table.
//
// x is the column and -y the row, so nothing is reprojected. What is drawn is what Python
// sends (landslide_zoo/web/map_view.py); texts go in as text, never as markup.
(() => {
  "use strict";

  const STYLES = {
    found: { color: "#ff2d2d", weight: 2, fillColor: "#ff2d2d", fillOpacity: 0.12 },
    chosen: { color: "#ffe600", weight: 3, fillColor: "#ffe600", fillOpacity: 0.2 },
    possible: { color: "#ffe600", weight: 1.5, dashArray: "4 4", fillOpacity: 0 },
    dropped: { color: "#ffffff", weight: 1.5, dashArray: "4 4", fillOpacity: 0 },
  };
  const CLOSEST = 4; // zoom: 16 pixels of the screen a pixel of the scene
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  const make = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };

  // Longitude and latitude lie in a lattice over the scene; between its nodes they are interpolated.
  const between = (nodes, x, y) => {
    const row = Math.min(Math.floor(y), nodes.length - 2);
    const column = Math.min(Math.floor(x), nodes[0].length - 2);
    const [down, right] = [y - row, x - column];
    return [0, 1].map((i) =>
      nodes[row][column][i] * (1 - down) * (1 - right) +
      nodes[row][column + 1][i] * (1 - down) * right +
      nodes[row + 1][column][i] * down * (1 - right) +
      nodes[row + 1][column + 1][i] * down * right);
  };

  const degrees = (value, [positive, negative]) =>
    `${Math.abs(value).toFixed(5)}\u00b0 ${value < 0 ? negative : positive}`;

  class SceneMap {
    constructor(element, props) {
      this.props = props;
      this.canvas = element.querySelector(".lz-map-canvas");
      this.place = element.querySelector(".lz-map-place");
      this.body = element.querySelector("tbody");
      this.more = element.querySelector(".lz-map-more");
      this.shapes = new Map();
      this.rows = new Map();
      this.body.addEventListener("click", (event) => {
        const row = event.target.closest("tr");
        if (row) this.choose(Number(row.dataset.number), true);
      });
      // A tab that was hidden has no size; Leaflet learns of it when the tab is shown.
      new ResizeObserver(() => this.resize()).observe(this.canvas);
      this.draw();
    }

    draw() {
      const data = this.props.value;
      if (!data || !data.size) return;
      this.data = data;
      this.bounds = L.latLngBounds([-data.size[0], 0], [0, data.size[1]]);
      if (this.run !== data.run) this.open(data);
      this.swap("found", data.landslides, data.figures.objects, "Landslides", true);
      this.swap("possible", data.possible, data.possible.length, "Possible landslides", false);
      this.swap("dropped", data.dropped, data.figures.dropped, "Dropped by rules", false);
      this.list(data);
    }

    open(data) {
      this.run = data.run;
      this.map?.remove();
      const [height, width] = data.size;
      const tall = Math.round((this.canvas.clientWidth * height) / width) + 40;
      this.canvas.style.setProperty("--lz-height", `${tall}px`);
      const collapsed = this.canvas.clientWidth < 700;
      this.padding = collapsed ? {} : { paddingTopLeft: [44, 0], paddingBottomRight: [180, 0] };
      this.groups = {};
      const metres = { distance: (a, b) => L.CRS.Simple.distance(a, b) * data.metres };
      this.map = L.map(this.canvas, {
        crs: L.extend({}, L.CRS.Simple, metres),
        minZoom: -6, maxZoom: CLOSEST, zoomSnap: 0.25, zoomDelta: 0.5,
        maxBounds: this.bounds.pad(2),
        fadeAnimation: !still(), zoomAnimation: !still(), inertia: !still(),
        preferCanvas: data.landslides.length > 300,
      });
      this.map.attributionControl.setPrefix("Leaflet")
        .addAttribution("Contains modified Copernicus Sentinel data");
      L.control.scale({ imperial: false }).addTo(this.map);
      this.layers = L.control.layers({}, {}, { collapsed, hideSingleBase: true }).addTo(this.map);
      const picture = (layer) => L.imageOverlay(layer.url, this.bounds, {
        className: "lz-pixels", alt: `${layer.title} of ${data.name}`, opacity: layer.opacity,
      });
      data.pictures.filter((layer) => layer.base).forEach((layer, place) => {
        const overlay = picture(layer);
        this.layers.addBaseLayer(overlay, layer.title);
        if (place === 0) overlay.addTo(this.map);
      });
      data.pictures.filter((layer) => !layer.base).forEach((layer) => {
        const overlay = picture(layer);
        this.layers.addOverlay(overlay, layer.title);
        if (layer.shown) overlay.addTo(this.map);
      });
      this.map.on("mousemove click", ({ latlng }) => this.point(latlng));
      this.fitted = false;
      this.resize();
    }

    resize() {
      if (!this.map || !this.canvas.clientWidth) return;
      this.map.invalidateSize({ animate: false });
      if (this.fitted) return;
      this.map.fitBounds(this.bounds, { animate: false, ...this.padding });
      this.map.setMinZoom(Math.floor(this.map.getZoom()) - 1);
      this.fitted = true;
    }

    // Replace the outlines of one kind; pan, zoom and what is switched on stay as they are.
    swap(kind, items, all, title, shown) {
      const before = this.groups[kind];
      const visible = before ? this.map.hasLayer(before) : shown;
      if (before) {
        this.layers.removeLayer(before);
        before.remove();
      }
      const widest = Math.max(200, Math.min(280, this.canvas.clientWidth - 110)); // beside controls
      const shapes = items.map((one) => {
        // Rings of Leaflet's polygons are latitude and longitude: minus the row, the column.
        const rings = one.rings.map((part) => part.map((ring) => ring.map(([x, y]) => [-y, x])));
        const shape = L.polygon(rings, { ...STYLES[kind], smoothFactor: 0.5 });
        shape.bindPopup(() => this.popup(one), {
          maxWidth: widest, minWidth: 200, autoPanPaddingTopLeft: [48, 8], autoPanPaddingBottomRight: [8, 8],
        });
        if (kind === "found") {
          this.shapes.set(one.number, shape);
          shape.on("popupopen", () => this.mark(one.number));
          shape.on("popupclose", () => this.mark(null));
        }
        return shape;
      });
      const group = (this.groups[kind] = L.featureGroup(shapes));
      if (kind !== "found" && !items.length) return;
      const count = items.length < all ? `largest ${items.length} of ${all}` : all;
      this.layers.addOverlay(group, `${title} (${count})`);
      if (visible) group.addTo(this.map);
    }

    popup(one) {
      const box = make("div", undefined, { class: "lz-map-popup" });
      box.append(make("strong", one.title));
      if (one.why) box.append(make("p", one.why));
      const list = make("dl");
      for (const [name, value] of one.facts) list.append(make("dt", name), make("dd", value));
      box.append(list);
      return box;
    }

    list(data) {
      this.rows.clear();
      this.body.replaceChildren(...data.landslides.map((one) => {
        const row = make("tr", undefined, { "data-number": one.number });
        const head = make("th", undefined, { scope: "row" });
        head.append(make("button", one.number, {
          type: "button", "aria-label": `Show landslide ${one.number}, ${one.cells[0]} hectares`,
        }));
        row.append(head, ...one.cells.map((cell) => make("td", cell)));
        this.rows.set(one.number, row);
        return row;
      }));
      this.more.textContent = data.more;
    }

    choose(number, pan) {
      const shape = this.shapes.get(number);
      if (!shape) return;
      this.groups.found.addTo(this.map);
      const bounds = shape.getBounds();
      // At once: the popup then moves the map as far as it needs.
      if (pan) {
        this.canvas.scrollIntoView({ block: "nearest" });
        this.map.fitBounds(bounds.pad(1), { animate: false, maxZoom: CLOSEST - 2 });
      }
      shape.openPopup(bounds.getCenter());
    }

    mark(number) {
      const at = (key) => [this.shapes.get(key), this.rows.get(key)];
      const [before, rowBefore] = at(this.marked);
      before?.setStyle(STYLES.found);
      rowBefore?.removeAttribute("aria-current");
      this.marked = number;
      const [now, row] = at(number);
      now?.setStyle(STYLES.chosen);
      row?.setAttribute("aria-current", "true");
      const box = row?.closest(".lz-map-list");
      if (box && (row.offsetTop < box.scrollTop
        || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight)) {
        box.scrollTop = row.offsetTop - box.clientHeight / 2;
      }
    }

    point(latlng) {
      const [height, width] = this.data.size;
      const [row, column] = [-latlng.lat, latlng.lng];
      if (row < 0 || column < 0 || row > height || column > width) return;
      const nodes = this.data.degrees;
      const pixel = `row ${Math.floor(row)}, column ${Math.floor(column)}`;
      if (!nodes) {
        this.place.textContent = pixel;
        return;
      }
      const [longitude, latitude] = between(
        nodes, (column / width) * (nodes[0].length - 1), (row / height) * (nodes.length - 1));
      const where = `${degrees(latitude, "NS")}, ${degrees(longitude, "EW")}`;
      this.place.textContent = `${where} (${pixel})`;
    }
  }

  window.lzMap = (element, props, watch) => {
    const map = new SceneMap(element, props);
    watch("value", () => map.draw());
  };
})();
