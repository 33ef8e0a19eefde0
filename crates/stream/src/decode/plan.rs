//! A declaration, compiled: where in a record each column stands.

use crate::{
    declaration::{Declaration, Field, FieldType, Scope},
    envelope::Framing,
    format::Format,
    path::{Path, Step},
    row::Value,
    time::{TimeFormat, TimeReader, Unit, Zone},
};

/// The root of a record.
pub(super) const ROOT: usize = 0;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    /// The view's columns, then those that only the decoder needs.
    pub(super) columns: Vec<ColumnPlan>,
    /// How many of them are the view's.
    pub(super) visible: usize,
    /// The column of the row's time.
    pub(super) time: Option<usize>,
    /// How many lists `each` walks, one inside the other.
    pub(super) levels: usize,
    /// The columns that change with each element of a list, by how deep the list is; 0 is the record's.
    pub(super) by_level: Vec<Vec<usize>>,
    /// The columns of each part of a text, or of each column of CSV.
    pub(super) parts: Vec<Vec<usize>>,
    /// The columns of each key of logfmt.
    pub(super) keys: Vec<(String, Vec<usize>)>,
    /// Columns that the envelope gives, with its member.
    pub(super) from_envelope: Vec<(usize, String)>,
    pub(super) control: Option<ControlPlan>,
    /// The columns of `detail` and `detail-type`.
    pub(super) eventbridge: Option<(usize, usize)>,
    /// What `each` walks, for messages.
    pub(super) each: String,
    /// What the root of a record must be.
    pub(super) root: Root,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Object,
    List,
    Any,
}

/// A place in a record that some column, or a place below it, is read from.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) members: Vec<(String, usize)>,
    pub(super) elements: Vec<(usize, usize)>,
    pub(super) wheres: Vec<Where>,
    pub(super) every: Option<usize>,
    /// The columns that are this value.
    pub(super) columns: Vec<usize>,
    /// For messages.
    pub(super) path: Path,
}

#[derive(Debug)]
pub(super) struct Where {
    pub(super) member: String,
    pub(super) equals: String,
    pub(super) node: usize,
}

#[derive(Debug, Clone)]
pub(super) struct ColumnPlan {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) default: Option<Value>,
    pub(super) reader: TimeReader,
    /// The path as the file has it.
    pub(super) path: String,
}

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Double,
    Integer,
    Text,
    /// As text, objects and lists as their JSON: the contract's names.
    AnyText,
    Boolean,
    Timestamp,
    Json,
}

/// The columns and places of a control record's fields.
#[derive(Debug)]
pub(super) struct ControlPlan {
    pub(super) weir: usize,
    pub(super) probe_id: usize,
    pub(super) sent_at: usize,
    pub(super) time: usize,
    pub(super) probe_id_node: usize,
    pub(super) sent_at_node: usize,
    pub(super) time_node: usize,
}

impl Plan {
    pub(super) fn new(declaration: &Declaration) -> Self {
        let each = declaration.each.clone().unwrap_or_default();
        let prefix = match declaration.envelope.framing {
            Framing::Eventbridge => Path::member("detail"),
            _ => Path::default(),
        };
        let mut builder = Builder { plan: Self::empty(&each), prefix, each, format: &declaration.format };
        let fields: Vec<Field> = declaration.all_fields().collect();
        for field in &fields {
            let kind = match field.kind {
                FieldType::Text if declaration.contract => Kind::AnyText,
                kind => Kind::of(kind),
            };
            let column = builder.column(ColumnPlan {
                name: field.name.clone(),
                kind,
                required: field.required,
                default: field.default.clone(),
                reader: field.time.clone(),
                path: field.path_text(),
            });
            builder.place(column, &field.path, field.of);
        }
        builder.plan.visible = fields.len();
        builder.expect_root();
        if let Some(time) = &declaration.time {
            let same = |field: &Field| {
                field.kind == FieldType::Timestamp
                    && field.path == time.path
                    && field.of == time.of
                    && field.time == time.reader
            };
            builder.plan.time = Some(match fields.iter().position(same) {
                Some(column) => column,
                None => {
                    let column = builder.hidden(Kind::Timestamp, &time.path.to_string());
                    builder.plan.columns[column].reader = time.reader.clone();
                    builder.place(column, &time.path, time.of);
                    column
                }
            });
        }
        if declaration.envelope.framing == Framing::Eventbridge {
            let detail = builder.at_root(Kind::Json, "detail");
            let kind = builder.at_root(Kind::Text, "detail-type");
            builder.plan.eventbridge = Some((detail.0, kind.0));
        }
        let control = declaration.heartbeat && declaration.envelope.framing.holds_control();
        if (declaration.contract || control) && declaration.format == Format::Json {
            builder.control();
        }
        builder.plan
    }

    fn empty(each: &Path) -> Self {
        Self {
            nodes: vec![Node::default()],
            columns: Vec::new(),
            visible: 0,
            time: None,
            levels: each.levels(),
            by_level: vec![Vec::new(); each.levels() + 1],
            parts: Vec::new(),
            keys: Vec::new(),
            from_envelope: Vec::new(),
            control: None,
            eventbridge: None,
            each: each.to_string(),
            root: Root::Any,
        }
    }
}

struct Builder<'a> {
    plan: Plan,
    prefix: Path,
    each: Path,
    format: &'a Format,
}

impl Builder<'_> {
    fn column(&mut self, column: ColumnPlan) -> usize {
        self.plan.columns.push(column);
        self.plan.columns.len() - 1
    }

    fn hidden(&mut self, kind: Kind, path: &str) -> usize {
        let reader = TimeReader { formats: contract_times(), zone: Zone::UTC };
        let path = path.to_owned();
        self.column(ColumnPlan { name: path.clone(), kind, required: false, default: None, reader, path })
    }

    /// A hidden column at a member of the root, and its place.
    fn at_root(&mut self, kind: Kind, name: &str) -> (usize, usize) {
        let column = self.hidden(kind, name);
        let node = self.node(&Path::member(name));
        self.plan.nodes[node].columns.push(column);
        self.plan.by_level[0].push(column);
        (column, node)
    }

    fn control(&mut self) {
        let (weir, _) = self.at_root(Kind::AnyText, "weir");
        let (probe_id, probe_id_node) = self.at_root(Kind::AnyText, "probe_id");
        let (sent_at, sent_at_node) = self.at_root(Kind::AnyText, "sent_at");
        let time_node = self.node(&Path::member("timestamp"));
        let time = match self.plan.time.filter(|time| self.plan.nodes[time_node].columns.contains(time)) {
            // The contract's own time, read once.
            Some(time) if self.plan.columns[time].reader.formats == contract_times() => time,
            _ => self.at_root(Kind::Timestamp, "timestamp").0,
        };
        self.plan.control = Some(ControlPlan { weir, probe_id, sent_at, time, probe_id_node, sent_at_node, time_node });
    }

    /// Notes where a column is read from.
    fn place(&mut self, column: usize, path: &Path, of: Scope) {
        match self.format {
            _ if of == Scope::Envelope && self.prefix.steps.is_empty() => {
                self.plan.by_level[0].push(column);
                self.plan.from_envelope.push((column, path.to_string()));
            }
            Format::Json => {
                let path = match of {
                    Scope::Row => self.prefix.then(&self.each).then(path),
                    Scope::Record => self.prefix.then(path),
                    Scope::Envelope => path.clone(),
                };
                let node = self.node(&path);
                self.plan.nodes[node].columns.push(column);
                self.plan.by_level[path.levels().min(self.plan.levels)].push(column);
            }
            Format::Text(pattern) => self.part(column, path, pattern.names().collect::<Vec<_>>()),
            Format::Csv(csv) => self.part(column, path, csv.columns.names.iter().map(String::as_str).collect()),
            Format::Logfmt => {
                let Some(Step::Member(name)) = path.steps.first() else { return };
                self.plan.by_level[0].push(column);
                match self.plan.keys.iter_mut().find(|(key, _)| key == name) {
                    Some((_, columns)) => columns.push(column),
                    None => self.plan.keys.push((name.clone(), vec![column])),
                }
            }
        }
    }

    fn part(&mut self, column: usize, path: &Path, names: Vec<&str>) {
        let index = match path.steps.first() {
            Some(Step::Member(name)) => names.iter().position(|known| known == name),
            Some(Step::Element(index)) => Some(*index),
            _ => None,
        };
        self.plan.by_level[0].push(column);
        let Some(index) = index else { return };
        if self.plan.parts.len() <= index {
            self.plan.parts.resize(index + 1, Vec::new());
        }
        self.plan.parts[index].push(column);
    }

    /// What the declared paths ask of the root.
    fn expect_root(&mut self) {
        let root = &self.plan.nodes[ROOT];
        self.plan.root = if !root.members.is_empty() {
            Root::Object
        } else if root.every.is_some() || !root.elements.is_empty() || !root.wheres.is_empty() {
            Root::List
        } else {
            Root::Any
        };
    }

    fn node(&mut self, path: &Path) -> usize {
        let mut node = ROOT;
        for (index, step) in path.steps.iter().enumerate() {
            let known = &self.plan.nodes[node];
            let child = match step {
                Step::Member(name) => known.members.iter().find(|(known, _)| known == name).map(|(_, child)| *child),
                Step::Element(at) => known.elements.iter().find(|(known, _)| known == at).map(|(_, child)| *child),
                Step::Every => known.every,
                Step::Where { member, equals } => {
                    known.wheres.iter().find(|w| w.member == *member && w.equals == *equals).map(|w| w.node)
                }
            };
            node = match child {
                Some(child) => child,
                None => self.add(node, step, Path { steps: path.steps.iter().take(index + 1).cloned().collect() }),
            };
        }
        node
    }

    fn add(&mut self, parent: usize, step: &Step, path: Path) -> usize {
        let child = self.plan.nodes.len();
        self.plan.nodes.push(Node { path, ..Node::default() });
        let parent = &mut self.plan.nodes[parent];
        match step {
            Step::Member(name) => parent.members.push((name.clone(), child)),
            Step::Element(at) => parent.elements.push((*at, child)),
            Step::Every => parent.every = Some(child),
            Step::Where { member, equals } => {
                parent.wheres.push(Where { member: member.clone(), equals: equals.clone(), node: child });
            }
        }
        child
    }
}

impl Kind {
    const fn of(kind: FieldType) -> Self {
        match kind {
            FieldType::Double => Self::Double,
            FieldType::Integer => Self::Integer,
            FieldType::Text => Self::Text,
            FieldType::Boolean => Self::Boolean,
            FieldType::Timestamp => Self::Timestamp,
            FieldType::Json => Self::Json,
        }
    }
}

/// The forms of a time in Weir's own contract.
pub(crate) fn contract_times() -> Vec<TimeFormat> {
    vec![TimeFormat::Epoch(Unit::Millis), TimeFormat::Rfc3339]
}
