import { APIError } from './errors.js';

type WebSocketClass = typeof globalThis.WebSocket;

/** Return the WebSocket of the platform, else that of the package `ws`. Throw APIError. */
export async function findWebSocket(): Promise<WebSocketClass> {
  if (typeof globalThis.WebSocket === 'function') return globalThis.WebSocket;
  const found = (await importPackage('ws')) ?? (await requireFromProgram('ws'));
  if (found === undefined) {
    throw new APIError('no_websocket', 'this platform has no WebSocket: run `npm install ws`, or pass a class');
  }
  return found;
}

async function importPackage(name: string): Promise<WebSocketClass | undefined> {
  try {
    // a variable and the comments: bundlers must not look for a package that browsers do not need
    const loaded = await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
    return loaded.default ?? loaded.WebSocket;
  } catch {
    return undefined;
  }
}

/** Look where the program is: this package may be a link to a folder without `ws`. */
async function requireFromProgram(name: string): Promise<WebSocketClass | undefined> {
  const nodeModule = 'node:module';
  try {
    const { createRequire } = await import(/* webpackIgnore: true */ /* @vite-ignore */ nodeModule);
    const { process } = globalThis as unknown as { process: { argv: string[]; cwd(): string } };
    return createRequire(process.argv[1] ?? `${process.cwd()}/program.js`)(name);
  } catch {
    return undefined;
  }
}
