import concurrent.futures, sys
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

def total(requests, context):
    sent = b"".join(requests)
    context.set_trailing_metadata((("x-pieces", str(len(sent))),))
    return sent

server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
servicer = health.HealthServicer(experimental_non_blocking=False)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
reflection.enable_server_reflection([health.SERVICE_NAME, reflection.SERVICE_NAME], server)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    "test.Sum", {"Total": grpc.stream_unary_rpc_method_handler(total)}),))
servicer.set("app", health_pb2.HealthCheckResponse.SERVING)
if len(sys.argv) > 1:
    pair = tuple(open(path, "rb").read() for path in sys.argv[1:3])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening on {port}", flush=True)
for line in sys.stdin:
    name, status = line.split()
    servicer.set(name, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
server.stop(0)
