// What a browser keeps, and may refuse to keep: then the page forgets, no more.

function keeper(name) {
  const at = (use) => {
    try {
      return use(window[name]);
    } catch {
      return null;
    }
  };
  return {
    get: (key) => at((storage) => storage.getItem(key)),
    set: (key, value) => at((storage) => (value === null ? storage.removeItem(key) : storage.setItem(key, value))),
  };
}

/** For this tab alone, until it is closed. */
export const tab = keeper("sessionStorage");

/** For all tabs, for good. */
export const browser = keeper("localStorage");
