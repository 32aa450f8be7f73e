"""What the service is measured against: Starlette under uvicorn with TLS, one constant answer."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

_ANSWER = {
    "detailCode": "STANDARD_ORDER_PLACED",
    "eventInstanceId": "amzn1.dash.v2.o." + "x" * 100,
}


async def _constant(request):
    return JSONResponse(_ANSWER)


if __name__ == "__main__":
    port, pem = sys.argv[1:]
    uvicorn.run(
        Starlette(routes=[Route("/{path:path}", _constant, methods=["POST"])]),
        port=int(port),
        ssl_certfile=pem,
        http="httptools",
        log_config=None,
        access_log=False,
    )
