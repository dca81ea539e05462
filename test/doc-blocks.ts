import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './processes.js';

/** The blocks of a page that are fenced as `sh NAME`: commands that a spec runs as they are written. */
export function blocksOf(page: string, name: string): string[] {
  const fenced = new RegExp(`^\`\`\`sh ${name}\\n(.*?)^\`\`\``, 'gms');
  return [...readFileSync(join(ROOT, page), 'utf8').matchAll(fenced)].map(([, block = '']) => block);
}
