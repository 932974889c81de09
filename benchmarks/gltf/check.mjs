// What the Khronos validator finds in a GLB file; ends with 1 if that is an error.
//
//     npm ci && node check.mjs FILE.glb

import { readFileSync } from "node:fs";
import validator from "gltf-validator";

const [path] = process.argv.slice(2);
if (!path) {
  console.error("node check.mjs FILE.glb");
  process.exit(2);
}
const { issues, info } = await validator.validateBytes(new Uint8Array(readFileSync(path)), { uri: path });
const { numErrors, numWarnings, numInfos, numHints } = issues;
console.log(`${path}: ${numErrors} errors, ${numWarnings} warnings, ${numInfos} infos, ${numHints} hints`);
console.log(`glTF ${info.version}, ${info.totalTriangleCount} triangles, ${info.animationCount} animations`);
for (const { code, message, pointer } of issues.messages) console.log(`${code} at ${pointer}: ${message}`);
process.exit(numErrors ? 1 : 0);
