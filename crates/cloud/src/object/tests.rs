//! Against a server that answers what it is told to.

use std::{
    io::{Read as _, Seek as _},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use super::*;

/// Answers one connection after the other, and keeps the requests' heads.
async fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        for answer in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while stream.read_line(&mut head).await.unwrap() > 2 {}
            kept.lock().unwrap().push(head);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, heads)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn listing(keys: &[&str], next: Option<&str>) -> String {
    let objects: String =
        keys.iter().map(|key| format!("<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>3</Size></Contents>")).collect();
    let next = next.map_or_else(
        || "<IsTruncated>false</IsTruncated>".to_owned(),
        |token| format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"),
    );
    let body =
        format!("<?xml version=\"1.0\"?>\n<ListBucketResult><Name>history</Name>{objects}{next}</ListBucketResult>");
    answer("200 OK", "", &body)
}

async fn bucket(address: &str) -> Bucket {
    Bucket::open(&Clients::at(address).await, "history").await.unwrap()
}

fn keys(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

fn not_found() -> String {
    answer("404 Not Found", "", "")
}

#[tokio::test]
async fn a_folder_is_listed_page_by_page_with_signed_requests() {
    let pages = vec![not_found(), listing(&["logs/c.csv"], Some("t/1+")), listing(&["logs/a &amp; b.csv"], None)];
    let (address, heads) = server(pages).await;
    let found = bucket(&address).await.find("logs").await.unwrap();
    assert_eq!(keys(&found), ["logs/a & b.csv", "logs/c.csv"]);
    assert_eq!(found[0].size, 3);
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("HEAD /history/logs HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(heads[1].contains("prefix=logs%2F"), "{}", heads[1]);
    assert!(heads[2].contains("continuation-token=t%2F1%2B"), "{}", heads[2]);
    for head in heads.iter() {
        let signed = "AWS4-HMAC-SHA256 Credential=test/";
        assert!(head.contains(signed) && head.contains("/us-east-1/s3/aws4_request"), "{head}");
        // The hash of no bytes.
        assert!(head.contains("x-amz-content-sha256: e3b0c442"), "{head}");
    }
}

#[tokio::test]
async fn a_key_that_is_there_is_one_object() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 7\r\nlast-modified: Wed, 21 Oct 2026 07:28:00 GMT\r\netag: \"e\"\r\n\r\n";
    let (address, heads) = server(vec![head.to_owned()]).await;
    assert_eq!(keys(&bucket(&address).await.find("a.csv").await.unwrap()), ["a.csv"]);
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_download_is_tried_again_where_s3_asks_for_patience() {
    let headers = "last-modified: Wed, 21 Oct 2026 07:28:00 GMT\r\netag: \"e\"\r\n";
    let answers =
        vec![answer("503 Slow Down", "", "<Error><Code>SlowDown</Code></Error>"), answer("200 OK", headers, "abcdef")];
    let (address, heads) = server(answers).await;
    let mut file = tempfile::tempfile().unwrap();
    bucket(&address).await.download("2026/a+b.csv", &mut file).await.unwrap();
    let mut text = String::new();
    assert_eq!(file.stream_position().unwrap(), 0);
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abcdef");
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("GET /history/2026/a%2Bb.csv HTTP/1.1\r\n"), "{}", heads[0]);
    assert_eq!(heads.len(), 2);
}

#[tokio::test]
async fn what_s3_refuses_is_said_once_with_what_to_do() {
    let no = answer("403 Forbidden", "", "<Error><Code>AccessDenied</Code><Message>Not yours</Message></Error>");
    let (address, heads) = server(vec![no]).await;
    let mut file = tempfile::tempfile().unwrap();
    let error = bucket(&address).await.download("a.csv", &mut file).await.unwrap_err();
    assert!(error.cause.contains("Not yours"), "{error}");
    assert!(error.to_string().contains("\n  hint: these credentials may not do this"), "{error}");
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_that_no_bucket_has_is_refused_before_anything_is_sent() {
    assert!(Bucket::open(&Clients::at("http://127.0.0.1:1").await, "no/bucket").await.is_err());
}
