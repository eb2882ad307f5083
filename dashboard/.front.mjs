import { preview } from "vite";
const target = process.argv[2]; const port = Number(process.argv[3]);
await preview({ preview: { port, strictPort:true, host:"127.0.0.1", proxy:{ "/api":{target}, "/ws":{target,ws:true} } } });
