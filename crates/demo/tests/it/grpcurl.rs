//! What `grpcurl` does, for the flags that the project's instructions use: everything it knows it asks by reflection.

use futures_util::stream;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::calls::{Connection, connection};
use crate::shell::words;
use crate::shop::{Member, Shop};

/// A command line of `grpcurl`, read.
#[derive(Debug)]
pub(crate) struct Grpcurl {
    pub(crate) address: String,
    pub(crate) data: Option<String>,
    headers: Vec<(String, String)>,
    pub(crate) what: What,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum What {
    /// The services, or the methods of one.
    List(Option<String>),
    /// What a name stands for.
    Describe(String),
    /// A method, by its full name.
    Call(String),
}

/// A server that answers reflection.
struct Server {
    origin: http::Uri,
    reflection: ServerReflectionClient<Connection>,
}

/// Messages of a method that became known only now.
struct DynamicCodec(MethodDescriptor);

struct Messages(MessageDescriptor);

// === impl Grpcurl ===

impl Grpcurl {
    /// # Panics
    /// At flags that nobody has used yet.
    pub(crate) fn parse(words: &[String]) -> Self {
        let mut words = words.iter().map(String::as_str);
        assert_eq!(words.next(), Some("grpcurl"));
        let (mut data, mut headers, mut places) = (None, Vec::new(), Vec::new());
        while let Some(word) = words.next() {
            match word {
                "-plaintext" | "-v" => {}
                "-d" => data = Some(words.next().expect("-d without data").to_owned()),
                "-H" => {
                    let (name, value) = words.next().and_then(|header| header.split_once(':')).expect("-H name: value");
                    headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
                }
                flag if flag.starts_with('-') => panic!("{flag} is not known here"),
                place => places.push(place),
            }
        }
        let (address, what) = match places[..] {
            [address, "list"] => (address, What::List(None)),
            [address, "list", service] => (address, What::List(Some(service.to_owned()))),
            [address, "describe", name] => (address, What::Describe(name.to_owned())),
            [address, method] => (address, What::Call(method.replace('/', "."))),
            _ => panic!("neither list, describe nor a method: {places:?}"),
        };
        Self { address: address.to_owned(), data, headers, what }
    }

    /// Does what the command line says at `address` and gives what would be printed, with the answer's headers.
    pub(crate) async fn run(&self, address: &str) -> Result<(String, MetadataMap), Status> {
        let mut server = Server::at(address);
        match &self.what {
            What::List(None) => Ok((server.services().await?.join("\n"), MetadataMap::new())),
            What::List(Some(name)) | What::Describe(name) => {
                let pool = server.describe(name).await?;
                let methods = methods(&pool).into_iter().map(|method| method.full_name().to_owned());
                let messages = pool.all_messages().map(|message| message.full_name().to_owned());
                let known = |found: &String| found == name || found.starts_with(&format!("{name}."));
                Ok((Vec::from_iter(methods.chain(messages).filter(known)).join("\n"), MetadataMap::new()))
            }
            What::Call(method) => {
                let answer = self.call(&mut server, method).await?;
                let (headers, message, _) = answer.into_parts();
                Ok((serde_json::to_string_pretty(&message).unwrap(), headers))
            }
        }
    }

    async fn call(&self, server: &mut Server, method: &str) -> Result<Response<DynamicMessage>, Status> {
        let pool = server.describe(method).await?;
        let method = methods(&pool).into_iter().find(|known| known.full_name() == method).expect("it was described");
        let mut json = serde_json::Deserializer::from_str(self.data.as_deref().unwrap_or("{}"));
        let message = DynamicMessage::deserialize(method.input(), &mut json).unwrap();
        json.end().unwrap();

        let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).parse().unwrap();
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            let name: tonic::metadata::AsciiMetadataKey = name.parse().unwrap();
            request.metadata_mut().append(name, value.parse().unwrap());
        }
        let mut client = tonic::client::Grpc::with_origin(connection(), server.origin.clone());
        client.ready().await.unwrap();
        client.unary(request, path, DynamicCodec(method)).await
    }
}

// === impl Server ===

impl Server {
    fn at(address: &str) -> Self {
        let origin: http::Uri = format!("http://{address}").parse().unwrap();
        Self { reflection: ServerReflectionClient::with_origin(connection(), origin.clone()), origin }
    }

    async fn ask(&mut self, question: MessageRequest) -> Result<MessageResponse, Status> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let answers = self.reflection.server_reflection_info(stream::iter([request])).await?;
        Ok(answers.into_inner().message().await?.unwrap().message_response.unwrap())
    }

    async fn services(&mut self) -> Result<Vec<String>, Status> {
        match self.ask(MessageRequest::ListServices(String::new())).await? {
            MessageResponse::ListServicesResponse(list) => Ok(list.service.into_iter().map(|it| it.name).collect()),
            other => panic!("{other:?}"),
        }
    }

    /// The file that holds `name`, with all files it needs.
    async fn describe(&mut self, name: &str) -> Result<DescriptorPool, Status> {
        let mut files = self.files(MessageRequest::FileContainingSymbol(name.to_owned())).await?;
        let mut asked = 0;
        while let Some(file) = files.get(asked).cloned() {
            asked += 1;
            for needed in file.dependency {
                if !files.iter().any(|file| file.name() == needed) {
                    files.extend(self.files(MessageRequest::FileByFilename(needed)).await?);
                }
            }
        }
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_protos(files).unwrap();
        Ok(pool)
    }

    async fn files(&mut self, question: MessageRequest) -> Result<Vec<FileDescriptorProto>, Status> {
        match self.ask(question).await? {
            MessageResponse::FileDescriptorResponse(found) => {
                let files = found.file_descriptor_proto.iter();
                Ok(files.map(|file| FileDescriptorProto::decode(&file[..]).unwrap()).collect())
            }
            other => panic!("{other:?}"),
        }
    }
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    pool.services().flat_map(|service| Vec::from_iter(service.methods())).collect()
}

// === impl DynamicCodec ===

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Messages;
    type Decoder = Messages;

    fn encoder(&mut self) -> Messages {
        Messages(self.0.input())
    }

    fn decoder(&mut self) -> Messages {
        Messages(self.0.output())
    }
}

impl Encoder for Messages {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(buffer).unwrap();
        Ok(())
    }
}

impl Decoder for Messages {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        Ok(Some(DynamicMessage::decode(self.0.clone(), buffer).unwrap()))
    }
}

#[tokio::test]
async fn every_service_tells_what_it_is_by_reflection() {
    let shop = Shop::open().await;
    let services = [
        (Member::Gateway, "shop.gateway.v1.ShopService", "GetOrder"),
        (Member::Order, "shop.order.v1.OrderService", "GetOrder"),
        (Member::Payment, "shop.payment.v1.PaymentService", "GetPayment"),
    ];
    for (member, service, method) in services {
        let address = shop.address(member).to_string();
        let run = async |rest: &str| {
            let line = words(&format!("grpcurl -plaintext {address} {rest}"));
            Grpcurl::parse(&line).run(&address).await.unwrap().0
        };
        assert!(run("list").await.lines().any(|line| line == service));
        let full_name = format!("{service}.{method}");
        assert!(run(&format!("list {service}")).await.lines().any(|line| line == full_name));
        assert_eq!(run(&format!("describe {full_name}")).await, full_name);
        let request = format!("{}.{method}Request", service.rsplit_once('.').unwrap().0);
        assert_eq!(run(&format!("describe {request}")).await, request);
    }
    shop.close().await;
}
